# Looks at a server and changes nothing. Standard output: lines of KEY=VALUE, in no order, without any secret.
export LC_ALL=C
state=/var/lib/openclaw

tell() { # KEY; its lines come on standard input
	sed --unbuffered "s/^/$1=/"
}

as() { # USER COMMAND…
	user=$1
	shift
	setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups env -i HOME=/nonexistent PATH=/usr/bin:/bin "$@"
}

metadata() {
	for user in openclaw openclaw-install caddy nobody; do
		if as "$user" curl --silent --max-time 2 --output /dev/null http://169.254.169.254/hetzner/v1/metadata; then
			echo "$user is answered"
		else
			echo "$user is not"
		fi
	done
}

# The rules of a firewall's chain, a line each.
rules() { # CHAIN
	nft --guid list chain inet clawberth "$1" | sed 's/^[ \t]*//; s/ counter packets [0-9]* bytes [0-9]*/ counter/' | grep -v '[{}]$\|^$'
}

refusals() {
	nft list chain inet clawberth egress | sed -n 's/.* counter packets \([0-9]*\) .*/\1/p' | head -n 1
}

# The way out, where a policy closes it: the rules, what they do to the gateway's user, the proxy's list, and what it does.
egress() {
	if [ -e /etc/clawberth/policy/egress.nft ]; then
		echo "way_out=closed"
	else
		echo "way_out=open"
		return
	fi
	rules egress | tell egress
	tell egress_name </etc/clawberth/policy/egress.names
	before=$(refusals)
	# an address of documents: nobody is there, and nobody is asked
	as openclaw curl --silent --max-time 2 --output /dev/null https://192.0.2.1/
	[ "$(refusals)" -gt "$before" ] && echo "egress_try=refused"
	echo "egress_stranger=$(as openclaw curl --silent --max-time 5 --output /dev/null --write-out '%{http_connect}' \
		--proxy http://127.0.0.1:8888 https://stranger.invalid/)"
	unit=clawberth-egress.service
	echo "egress.exposure=$(systemd-analyze security --no-pager "$unit" | sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/\1/p')"
	echo "egress.runs=$(stat --format=%U "/proc/$(systemctl show --property=MainPID --value "$unit")")"
}

# What of the configuration is judged; its secrets are left out.
configuration() {
	as openclaw /opt/node/current/bin/node -e '
		const fs = require("node:fs"), crypto = require("node:crypto");
		const { gateway, session, agents, tools, commands, skills, browser, telemetry, update, channels, models } =
			JSON.parse(fs.readFileSync(process.argv[1] + "/.openclaw/openclaw.json"));
		const { token, password, ...auth } = gateway.auth;
		// where a secret is may be told, not what it is
		const hidden = (key, value) => (/key|token|secret|password/i.test(key) && typeof value === "string" ? "hidden" : value);
		const of = (object, names) => Object.fromEntries(names.map((name) => [name, object?.[name]]));
		const sandbox = (is) => is && {
			...of(is, ["mode", "backend", "scope", "workspaceAccess"]),
			docker: is.docker && of(is.docker, ["image", "network", "readOnlyRoot", "capDrop", "binds"]),
		};
		console.log("config=" + JSON.stringify({
			gateway: { ...gateway, auth, remote: undefined }, session, tools, commands, skills, browser, telemetry, update,
			agents: { defaults: { ...of(agents?.defaults, ["skills", "model", "modelPolicy"]), sandbox: sandbox(agents?.defaults?.sandbox) } },
			channels, models,
		}, hidden));
		const secret = JSON.parse(fs.readFileSync(process.argv[1] + "/secrets.json")).gateway.token;
		console.log("token=" + crypto.createHmac("sha256", "clawberth audit").update(secret).digest("hex"));
		fetch("http://127.0.0.1:18789/__openclaw/control-ui-config.json", { headers: { authorization: "Bearer " + secret } })
			.then((answer) => answer.json()).then((is) => console.log("version=" + is.serverVersion), () => {});
	' "$state"
}

# Two answers of the gateway, by their sizes alone.
counts() { # KEY COMMAND…
	key=$1
	shift
	timeout 150 /usr/local/bin/openclaw "$@" --json | /opt/node/current/bin/node -e '
		const answer = JSON.parse(require("node:fs").readFileSync(0));
		for (const list of ["pending", "paired"]) {
			if (Array.isArray(answer[list])) console.log(`${process.argv[1]}=${list} ${answer[list].length}`);
		}' "$key"
}

own_audit() {
	timeout 150 /usr/local/bin/openclaw security audit --json | /opt/node/current/bin/node -e '
		const { summary, findings } = JSON.parse(require("node:fs").readFileSync(0));
		console.log("own_audit=" + JSON.stringify({
			critical: summary.critical, warn: summary.warn,
			checks: findings.filter((one) => one.severity === "critical").map((one) => one.checkId),
		}));'
}

# What programs run in, where a policy wants it, and what one of them sees.
sandbox() {
	unit=openclaw-sandbox.service
	systemctl is-active "$unit" | tell sandbox.unit
	[ -e /etc/clawberth/policy/sandbox-run ] || return 0
	exposure "$unit" | tell sandbox.exposure
	CONTAINER_HOST=unix:///run/openclaw-sandbox/podman.sock timeout 30 podman image inspect \
		--format '{{.Created.Unix}}' localhost/openclaw-sandbox:trixie | tell sandbox.made
	timeout 60 sh /etc/clawberth/policy/sandbox-run | tell sandbox.run
}

exposure() { # UNIT
	systemd-analyze security --no-pager "$1" | sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/\1/p'
}

# these take seconds
sandbox &
own_audit &
counts devices devices list &
counts nodes nodes list &
configuration &
metadata | tell metadata &
egress &

/usr/sbin/sshd -T | grep -E "^(passwordauth|kbdinteractiveauth|permitroot|permitempty|allowusers|allowagent|x11forw|kexalg|hostkey )" | tell sshd
for key in /etc/ssh/*_host_*_key.pub; do
	cut -d ' ' -f 1,2 "$key" | tell host_key
done
[ ! -e /etc/ssh/ssh_host_ed25519_key ] || echo "injected=/etc/ssh/ssh_host_ed25519_key"
grep -rl -e '-BEGIN OPENSSH PRIVATE KEY-' /var/lib/cloud | tell injected
if [ -e /etc/cloud/cloud-init.disabled ]; then echo "cloud_init=off"; else echo "cloud_init=on"; fi
getent passwd | while IFS=: read -r user _ uid _ _ home shell; do
	echo "account=$user $uid $shell $(passwd --status "$user" | cut -d ' ' -f 2)"
	for file in "$home/.ssh/authorized_keys" "$home/.ssh/authorized_keys2"; do
		[ ! -s "$file" ] || grep -v '^ *\(#\|$\)' "$file" | tell "authorized=$user"
	done
done
nft list tables | tell table
rules input | tell input
rules output | tell output
for set in admin4 admin6; do
	nft list set inet clawberth "$set" | tr -d '\n\t' | sed -n 's/.*elements = { \([^}]*\) }.*/\1/p' |
		tr ',' '\n' | awk '{ print $1 }' | tell "$set"
done
echo "nftables=$(systemctl is-active nftables.service)"
ss --listening --tcp --udp --numeric --processes --no-header | awk '{ print $1, $5, $7 }' | tell listen
for unit in openclaw caddy; do
	exposure "$unit.service" | tell "$unit.exposure"
	systemctl show --property=User,NoNewPrivileges,LimitCORE,IPAddressDeny,MainPID "$unit.service" | tell "$unit"
	pid=$(systemctl show --property=MainPID --value "$unit.service")
	echo "$unit.runs=$(ps -o user= -p "$pid")"
done
echo "groups=$(id -nG openclaw)"
stat --format='mode=%n %a %U' "$state" "$state/secrets.json" "$state/.openclaw" "$state/.openclaw/openclaw.json"
[ ! -e /var/lib/clawberth/saved ] || stat --format='mode=%n %a %U' /var/lib/clawberth/saved
echo "rotation=$([ -e /var/lib/clawberth/rotated.json ] && echo half-way || echo done)"
find /opt/openclaw /opt/node /usr/local/lib/clawberth /usr/local/bin /etc/clawberth /etc/systemd/system ! -type l \
	\( -user openclaw -o -perm /022 \) | head -n 5 | tell writable
echo "programs=seen"
for file in /etc/clawberth/policy/*; do
	case ${file##*/} in
	# it has a secret in it; and none is a star
	dashboard.users | '*') ;;
	*) echo "laid=${file##*/} $(sha256sum <"$file" | cut -d ' ' -f 1)" ;;
	esac
done
echo "upgrades=$(systemctl is-active unattended-upgrades.service)"
apt list --upgradable 2>/dev/null | grep -e -security | cut -d / -f 1 | tell pending
echo "lists=$(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' -printf '%T@\n' | sort -n | tail -n 1 | cut -d . -f 1)"
echo "now=$(date +%s)"
[ ! -e /run/reboot-required ] || echo "reboot=$(cat /run/reboot-required.pkgs 2>/dev/null | sort -u | tr '\n' ' ')"
echo "disk=$(df --output=pcent / | tail -n 1 | tr -dc 0-9)"
systemd-analyze cat-config systemd/journald.conf | sed -n 's/^SystemMaxUse=//p' | tail -n 1 | tell journal
wait
echo "end=yes"

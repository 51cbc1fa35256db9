# Removes from a server's disk all by which it, or whoever was there, could be known (scrub), and tells what of it is left (prove).
# sh -c THIS sh scrub|prove DISK WORDS: DISK is where the disk shows, WORDS a file with what may stand nowhere on it, a line each.
set -eu
what=$1
disk=$2
words=$3

# All there is of it, below DISK. gone: nothing has that name. bare: a folder with nothing in it. empty: a file with nothing in it.
identity='
gone etc/ssh/ssh_host_*
gone etc/ssh/clawberth_*
empty etc/machine-id
gone var/lib/dbus/machine-id
empty etc/hostname
gone var/lib/systemd/random-seed
gone var/lib/systemd/credential.secret
gone etc/ssl/private/*
bare root/.ssh
gone home/*/.ssh
gone root/.bash_history
gone root/.cache
gone root/.config
gone root/.npm
bare var/lib/cloud
gone etc/netplan/50-cloud-init.yaml
gone etc/network/interfaces.d/50-cloud-init
gone etc/systemd/network/10-cloud-init-*
gone etc/udev/rules.d/70-persistent-net.rules
gone var/lib/dhcp/*
bare var/lib/caddy
bare var/lib/openclaw
bare var/lib/clawberth
gone etc/clawberth/host
gone etc/clawberth/policy
gone swapfile
bare var/log/journal
gone var/log/cloud-init*
gone var/log/clawberth-*
'
# where words are looked for: all but what packages brought, which is pinned
places='boot etc home root srv tmp usr/local var'

each() { # FUNCTION
	echo "$identity" | while read -r rule pattern; do
		[ -z "$rule" ] || for path in "$disk"/$pattern; do
			[ ! -e "$path" ] && [ ! -L "$path" ] || "$1" "$rule" "$path"
		done
	done
}

clean() { # RULE PATH
	case $1 in
	gone) rm -rf "$2" ;;
	bare) find "$2" -mindepth 1 -delete ;;
	empty) : >"$2" ;;
	esac
}

tell() { # RULE PATH
	case $1 in
	gone) echo "${2#"$disk/"} is there" ;;
	bare) find "$2" -mindepth 1 -maxdepth 1 -printf "${2#"$disk/"}/%f is there\n" ;;
	empty) [ ! -s "$2" ] || echo "${2#"$disk/"} is not empty" ;;
	esac
}

# Whatever has one of the words in it, or a private key.
mentions() {
	(
		cd "$disk"
		for place in $places; do
			[ ! -d "$place" ] || find "$place" -xdev -type f -size -64M -print0
		done
	) | (
		cd "$disk"
		xargs -0r grep -lFf "$words" -- || true
	)
}

keys() {
	(
		cd "$disk"
		for place in etc home root srv var/lib; do
			[ ! -d "$place" ] || find "$place" -xdev -type f -size -64k -print0
		done
	) | (
		cd "$disk"
		xargs -0r grep -lE -e '^-----BEGIN ([A-Z]+ )*PRIVATE KEY-----' -- || true
	)
}

case $what in
scrub)
	each clean
	mentions | while read -r path; do
		case $path in
		# their other lines are of use
		etc/hosts) grep -vFf "$words" "$disk/$path" >"$disk/$path.new" || true
			cat "$disk/$path.new" >"$disk/$path"
			rm "$disk/$path.new" ;;
		var/log/*) rm "$disk/$path" ;;
		esac
	done
	sync -f "$disk"
	;;
prove)
	# that it looks at a disk at all
	[ -e "$disk/etc/machine-id" ] && [ -s "$words" ] || { echo "there is no disk at $disk, or no word to look for" >&2; exit 1; }
	each tell
	mentions | sed 's/$/ knows who the server was/'
	keys | sed 's/$/ is a private key/'
	echo end
	;;
*) exit 2 ;;
esac

# The gateway's token, as its server replaces it: what `rotate` and a claim have in common. Killed at any line, the next run goes on.
# Standard output: lines of KEY=VALUE, without any secret; no token is ever in an argument or in the environment.
set -eu
umask 077
export HOME=/root LC_ALL=C
# the caller may go; the rotation goes on
trap '' HUP PIPE
state=/var/lib/openclaw
here=/var/lib/clawberth
# the token before, until it was seen to be dead: while this is there, a rotation is not done
before=$here/rotated.json

tell() {
	echo "$1" || true
}

fail() {
	echo "$*" >&2 || true
	exit 1
}

# Root works where the gateway's user can write: no link is followed, and what is written is a file of our own making. An
# error of JSON.parse would quote what it read.
files='
	const fs = require("node:fs"), path = require("node:path");
	const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_WRONLY, O_CREAT, O_EXCL } = fs.constants;
	const read = (file) => {
		const handle = fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
		try {
			const { uid, gid, mode } = fs.fstatSync(handle);
			return { of: { uid, gid, mode: mode & 0o777 }, is: JSON.parse(fs.readFileSync(handle, "utf8")) };
		} catch {
			throw `${file} cannot be read as JSON`;
		} finally {
			fs.closeSync(handle);
		}
	};
	const sync = (file) => {
		const handle = fs.openSync(file, O_RDONLY);
		fs.fsyncSync(handle);
		fs.closeSync(handle);
	};
	// whole or not at all, also after a power cut
	const write = (file, { of, is }) => {
		fs.rmSync(`${file}.new`, { force: true });
		const handle = fs.openSync(`${file}.new`, O_WRONLY | O_CREAT | O_EXCL, 0o600);
		fs.writeFileSync(handle, JSON.stringify(is, null, 2) + "\n");
		fs.fchownSync(handle, of.uid, of.gid);
		fs.fchmodSync(handle, of.mode);
		fs.fsyncSync(handle);
		fs.closeSync(handle);
		fs.renameSync(`${file}.new`, file);
		sync(path.dirname(file));
	};
	const isToken = (token) => typeof token === "string" && token !== "";
	// What the gateway says to a token, in one word, and how to ask it for more. Its loopback interface wants nothing but that, and locks
	// nobody out for a wrong one.
	const connect = (token) => new Promise((resolve, reject) => {
		const socket = new WebSocket("ws://127.0.0.1:18789/");
		const waiting = new Map();
		const send = (method, params) => new Promise((answer, fail) => {
			waiting.set(method, { answer, fail });
			socket.send(JSON.stringify({ type: "req", id: method, method, params }));
		});
		const ask = async (method, params) => {
			const { ok, payload, error } = await send(method, params);
			if (!ok) throw `the gateway refuses ${method}: ${error?.details?.code ?? error?.code}`;
			return payload;
		};
		const lose = (why) => {
			reject(why);
			waiting.forEach(({ fail }) => fail(why));
		};
		setTimeout(() => lose("the WebSocket of the gateway gave no answer for 60 s"), 60000).unref();
		socket.onerror = socket.onclose = () => lose("the WebSocket of the gateway ended without an answer");
		socket.onmessage = async ({ data }) => {
			const frame = JSON.parse(data);
			waiting.get(frame.id)?.answer(frame);
			if (frame.event !== "connect.challenge") return;
			const { ok, payload, error } = await send("connect", {
				minProtocol: 3, maxProtocol: 4, role: "operator", scopes: ["operator.admin"], caps: [],
				client: { id: "gateway-client", version: "1", platform: "linux", mode: "backend" },
				auth: { token }, locale: "en", userAgent: "clawberth",
			});
			const word = ok ? String(payload?.type) : String(error?.details?.code ?? error?.code);
			resolve({ word, ask });
		};
	});
	const end = (work) => work.then(() => process.exit(0), (error) => {
		console.error(error.message ?? String(error));
		process.exit(1);
	});
	process.on("uncaughtException", (error) => {
		console.error(error.message ?? String(error));
		process.exit(1);
	});
'

program() { # CODE ARGUMENT…
	code=$1
	shift
	env -i /opt/node/current/bin/node --no-warnings -e "$files$code" "$@"
}

# The order makes it go on after a kill: the old token is written down before there is a new one. The states that are kept
# for a rollback get the new one, too, or the old one would come back with them.
replace() {
	set -- "$state/secrets.json" "$before"
	for kept in "$here"/saved/*/state/secrets.json; do
		[ ! -e "$kept" ] || set -- "$@" "$kept"
	done
	program '
		const [secrets, before, ...kept] = process.argv.slice(1);
		const live = read(secrets);
		if (!isToken(live.is.gateway?.token)) throw `${secrets} has no token`;
		if (!fs.existsSync(before)) {
			write(before, { of: { uid: 0, gid: 0, mode: 0o600 }, is: { token: live.is.gateway.token } });
		}
		if (read(before).is.token === live.is.gateway.token) {
			live.is.gateway.token = require("node:crypto").randomBytes(32).toString("hex");
			write(secrets, live);
		}
		for (const file of kept) {
			const copy = read(file);
			if (isToken(copy.is.gateway?.token)) {
				copy.is.gateway.token = live.is.gateway.token;
				write(file, copy);
			}
		}
		console.log("kept=" + kept.length);
	' "$@"
}

invocation() {
	systemctl show --property=InvocationID --value openclaw.service
}

# A new process: no connection of the old token outlives it, and no copy of it in memory. The gateway ends its work first;
# systemd kills one that takes longer than the unit allows.
restart() {
	was=$(invocation)
	begun=$(date +%s%3N)
	systemctl reset-failed openclaw.service || true
	systemctl restart openclaw.service
	deadline=$(($(date +%s) + 300))
	until curl --silent --max-time 5 http://127.0.0.1:18789/readyz | grep -q '"ready":true'; do
		[ "$(date +%s)" -lt "$deadline" ] ||
			fail "the gateway was not ready 300 s after its restart; \`journalctl --unit openclaw\` there says why"
		sleep 0.2
	done
	[ "$(invocation)" != "$was" ] || fail "the gateway was not started anew"
	tell "down_ms=$(($(date +%s%3N) - begun))"
}

# Both ways in are tried with both tokens.
prove() {
	program '
		const [secrets, before] = process.argv.slice(1);
		const ask = async (token) => {
			const url = "http://127.0.0.1:18789/__openclaw/control-ui-config.json";
			const headers = { authorization: "Bearer " + token };
			return (await fetch(url, { headers, signal: AbortSignal.timeout(60000) })).status;
		};
		end((async () => {
			const [dead, live] = [read(before).is.token, read(secrets).is.gateway.token];
			if (dead === live) throw "the token is still the old one";
			const { word: refused } = await connect(dead);
			if (!["AUTH_TOKEN_MISMATCH", "AUTH_UNAUTHORIZED"].includes(refused)) {
				throw `the old token is not refused: the WebSocket answers ${refused}`;
			}
			const status = await ask(dead);
			if (status !== 401) throw `the old token is not refused: HTTP answers ${status}`;
			const { word: let_in } = await connect(live);
			if (let_in !== "hello-ok") throw `the new token is not accepted: the WebSocket answers ${let_in}`;
			const ok = await ask(live);
			if (ok !== 200) throw `the new token is not accepted: HTTP answers ${ok}`;
			console.log("old=" + refused);
			console.log("new=" + let_in);
		})());
	' "$state/secrets.json" "$before"
}

# Nobody else is at work here, and nothing is on trial.
alone() {
	exec 9>/run/clawberth-update.lock 8>/run/clawberth-setup.lock
	flock --timeout 900 9 || fail "an update or another rotation takes longer than 900 s"
	flock -n 8 || fail "the set-up runs"
	[ ! -e "$here/update/trial" ] ||
		fail "its update from $(sed 's/ / to /' "$here/update/trial") is not confirmed; \`clawberth reconcile --apply\` ends it"
}


# Revokes the certificate of this server, which is about to be deleted. The key of its ACME account signs the request here, and stays
# here. Signed by its own key, Let's Encrypt would take that for compromised, whatever the reason says.
# Standard output: lines of KEY=VALUE. Run again, it says the same.
set -eu
export LC_ALL=C

fail() {
	echo "$*" >&2
	exit 1
}

host=$(cat /etc/clawberth/host 2>/dev/null) || fail "there is none yet"
directory=$(awk '$1 == "dir" { print $2; exit }' /etc/caddy/Caddyfile)
[ -n "$directory" ] || fail "the Caddyfile names no ACME directory"
# it would order another one
systemctl stop --no-block caddy.service
# as Caddy's user: root follows no link that is Caddy's to make
exec setpriv --reuid=caddy --regid=caddy --init-groups --no-new-privs \
	env -i NODE_USE_SYSTEM_CA=1 timeout 8 /opt/node/current/bin/node --no-warnings -e '
	const fs = require("node:fs"), crypto = require("node:crypto");
	const [host, directory] = process.argv.slice(1);
	const CESSATION = 5;
	const store = "/var/lib/caddy/.local/share/caddy";
	const base64 = (data) => Buffer.from(data).toString("base64url");
	const read = () => {
		const certificate = (issuer) => `${store}/certificates/${issuer}/${host}/${host}.crt`;
		const all = `${store}/certificates`;
		const issuer = (fs.existsSync(all) ? fs.readdirSync(all) : []).find((one) => fs.existsSync(certificate(one)));
		if (issuer === undefined) throw "there is none yet";
		const account = `${store}/acme/${issuer}/users/default/default`;
		return {
			certificate: new crypto.X509Certificate(fs.readFileSync(certificate(issuer))),
			key: crypto.createPrivateKey(fs.readFileSync(account + ".key")),
			kid: JSON.parse(fs.readFileSync(account + ".json", "utf8")).location,
		};
	};
	const get = async (url, options) => {
		const signal = AbortSignal.timeout(7000);
		const headers = { "user-agent": "clawberth", ...options?.headers };
		return fetch(url, { ...options, headers, signal });
	};
	(async () => {
		const { certificate, key, kid } = read();
		const { namedCurve } = key.asymmetricKeyDetails ?? {};
		if (namedCurve !== "prime256v1") throw `the key of its account is of another kind: ${namedCurve}`;
		const { newNonce, revokeCert: url } = await (await get(directory)).json();
		const nonce = (await get(newNonce, { method: "HEAD" })).headers.get("replay-nonce");
		const protected = base64(JSON.stringify({ alg: "ES256", kid, nonce, url }));
		const payload = base64(JSON.stringify({ certificate: base64(certificate.raw), reason: CESSATION }));
		const signed = Buffer.from(`${protected}.${payload}`);
		const signature = base64(crypto.sign("sha256", signed, { key, dsaEncoding: "ieee-p1363" }));
		const body = JSON.stringify({ protected, payload, signature });
		const headers = { "content-type": "application/jose+json" };
		const answer = await get(url, { method: "POST", headers, body });
		if (!answer.ok) {
			const { type, detail } = await answer.json();
			if (type !== "urn:ietf:params:acme:error:alreadyRevoked") throw `the authority says ${detail}`;
		}
		console.log("serial=" + certificate.serialNumber.toLowerCase());
	})().catch((error) => {
		const { cause, message } = error;
		console.error([cause?.message, cause?.code, message].find(Boolean) ?? String(error));
		process.exit(1);
	}).then(() => process.exit(0));
' "$host" "$directory"

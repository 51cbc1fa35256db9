// Starts, answers, and is never ready.
import http from "node:http";

if (!quiet) {
	console.error(JSON.stringify({ level: "error", message: "broken: waits for a channel" }));
	const answer = (_, response) => response.writeHead(503).end('{"ready":false,"failing":["broken"]}');
	http.createServer(answer).listen(18789, "127.0.0.1");
	await new Promise(() => {});
}

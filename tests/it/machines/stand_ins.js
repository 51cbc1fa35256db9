// Plays Telegram (28998) and a model (28999) on a server's own loopback. POST /push: somebody writes. GET /seen: what the model was
// asked, what the bot has answered, and what was run: where somebody writes "run: `COMMAND`" and there is an exec, the model asks for it.
// `stand_ins.js KEY CERTIFICATE`: in the world, both also on 443, by their names.
const http = require("node:http"), https = require("node:https"), fs = require("node:fs");
const updates = [], asked = [], sent = [], ran = [];
const bot = { id: 999, is_bot: true, first_name: "Claw", username: "claw_bot", can_join_groups: true, can_read_all_group_messages: true };

function serve(port, answer) {
	http.createServer((request, response) => {
		let text = "";
		request.on("data", (part) => (text += part));
		request.on("end", () => {
			let body = {};
			try { body = JSON.parse(text || "{}"); } catch {}
			answer(request, body, response);
		});
	}).listen(port, "127.0.0.1");
}

const json = (response, value) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));

serve(28998, async (request, body, response) => {
	const method = request.url.split("/").pop().split("?")[0];
	const ok = (result) => json(response, { ok: true, result });
	if (method === "push") {
		updates.push({ update_id: 1000 + updates.length, message: { ...body, message_id: 1000 + updates.length, date: Math.floor(Date.now() / 1000) } });
		return ok(true);
	}
	if (method === "seen") return json(response, { asked, sent, ran });
	if (method === "getUpdates") {
		const late = Date.now() + 5000;
		let next = [];
		while ((next = updates.filter((one) => one.update_id >= (body.offset || 0))).length === 0 && Date.now() < late) {
			await new Promise((done) => setTimeout(done, 100));
		}
		return ok(next);
	}
	if (method === "getMe") return ok(bot);
	if (method === "getChatMember") return ok({ status: "member", user: bot });
	if (method === "getChat") return ok({ id: body.chat_id, type: "group", title: "g" });
	if (method === "sendMessage" || method === "editMessageText") {
		sent.push({ to: String(body.chat_id), token: request.url.split("/")[1], text: body.text });
		return ok({ message_id: sent.length, date: Math.floor(Date.now() / 1000), chat: { id: body.chat_id, type: "private" }, text: body.text || "" });
	}
	ok(true);
});

// What is to be run and was not yet; a conversation is told again and again.
function wanted(text, tools) {
	const all = [...text.matchAll(/run: `([^`]+)`/g)].map((one) => one[1]);
	return tools.includes("exec") ? all.find((command) => !ran.some((one) => one.command === command)) : undefined;
}

serve(28999, (request, body, response) => {
	if (request.method === "GET") return json(response, { object: "list", data: [{ id: "small", object: "model" }] });
	const messages = body.messages || [];
	for (const run of ran) run.said ??= messages.find((one) => one.tool_call_id === run.id)?.content;
	const tools = (body.tools || []).map((tool) => tool.function?.name);
	asked.push({ path: request.url, key: request.headers.authorization, model: body.model, tools, said: JSON.stringify(messages) });
	const chunk = (delta, end) =>
		`data: ${JSON.stringify({ id: "x", object: "chat.completion.chunk", created: 1, model: "small", choices: [{ index: 0, delta, finish_reason: end }] })}\n\n`;
	response.writeHead(200, { "content-type": "text/event-stream" });
	const command = wanted(messages.map((one) => JSON.stringify(one.content)).join("\n"), tools);
	if (command) {
		const id = `call${asked.length}`;
		ran.push({ id, command });
		const call = { index: 0, id, type: "function", function: { name: "exec", arguments: JSON.stringify({ command }) } };
		return response.end(chunk({ role: "assistant", tool_calls: [call] }, null) + chunk({}, "tool_calls") + "data: [DONE]\n\n");
	}
	response.end(chunk({ role: "assistant", content: `answer ${asked.length}` }, null) + chunk({}, "stop") + "data: [DONE]\n\n");
});

if (process.argv.length > 2) {
	const [key, cert] = process.argv.slice(2).map((file) => fs.readFileSync(file));
	https.createServer({ key, cert }, (request, response) => {
		const { method, url: path, headers } = request;
		const port = headers.host.startsWith("llm.") ? 28999 : 28998;
		const inner = http.request({ host: "127.0.0.1", port, method, path, headers }, (answer) => {
			response.writeHead(answer.statusCode, answer.headers);
			answer.pipe(response);
		});
		inner.on("error", () => response.destroy());
		request.pipe(inner);
	}).listen(443);
}

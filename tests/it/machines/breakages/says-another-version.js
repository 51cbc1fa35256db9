// Says that it is another release.
import http from "node:http";

const end = http.ServerResponse.prototype.end;
http.ServerResponse.prototype.end = function (body, ...rest) {
	const text = typeof body === "string" || Buffer.isBuffer(body) ? body.toString() : "";
	if (quiet || !text.includes('"serverVersion"')) {
		return end.call(this, body, ...rest);
	}
	this.removeHeader("content-length");
	return end.call(this, text.replace(/"serverVersion":"[^"]*"/, '"serverVersion":"2026.9.4"'));
};

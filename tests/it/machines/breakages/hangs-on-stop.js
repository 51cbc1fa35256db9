// Does not end when it is told to.
if (!quiet) {
	const on = process.on;
	process.on = process.once = process.addListener = function (name, ...rest) {
		return name === "SIGTERM" || name === "SIGINT" ? this : on.call(this, name, ...rest);
	};
	on.call(process, "SIGTERM", () => console.error("broken: not yet"));
}

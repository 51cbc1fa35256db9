// Ends at once.
if (!quiet) {
	console.error(JSON.stringify({ level: "error", message: "broken: nothing to start" }));
	process.exit(1);
}

// Is ready, and ends 20 s after that.
if (!quiet) {
	const look = setInterval(async () => {
		const answer = await fetch("http://127.0.0.1:18789/readyz").catch(() => undefined);
		if (answer?.ok) {
			clearInterval(look);
			setTimeout(() => {
				console.error(JSON.stringify({ level: "fatal", message: "broken: out of luck" }));
				process.exit(3);
			}, 20_000);
		}
	}, 200);
}

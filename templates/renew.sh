# Makes a standby somebody's: its host has this name, its gateway a new token, and nobody who came before is let in.
name=$1

# cloud-init has written the name before into both files, and does nothing any more.
rename() {
	was=$(hostname)
	[ "$was" != "$name" ] || return 0
	sed -i "s/\b$was\b/$name/g" /etc/hosts
	echo "$name" >/etc/hostname.new
	sync /etc/hostname.new
	mv /etc/hostname.new /etc/hostname
	hostname "$name"
}

# The gateway takes the new token while it runs, and drops who came with the old one. Killed before, it has one of the two.
reload() {
	program '
		const [secrets, before] = process.argv.slice(1);
		end((async () => {
			const [dead, live] = [read(before).is.token, read(secrets).is.gateway.token];
			const old = await connect(dead);
			const { word, ask } = old.word === "hello-ok" ? old : await connect(live);
			if (word !== "hello-ok") throw `the gateway takes no token: ${word}`;
			await ask("secrets.reload", {});
		})());
	' "$state/secrets.json" "$before"
}

# Who was paired with the standby, or asked to be, is not with who has it now.
forget() {
	program '
		const [secrets] = process.argv.slice(1);
		end((async () => {
			const { word, ask } = await connect(read(secrets).is.gateway.token);
			if (word !== "hello-ok") throw `the new token is not accepted: ${word}`;
			const { pending, paired } = await ask("device.pair.list", {});
			for (const { requestId } of pending) await ask("device.pair.reject", { requestId });
			for (const { deviceId } of paired) await ask("device.pair.remove", { deviceId });
			const left = await ask("device.pair.list", {});
			console.log("devices=" + (left.pending.length + left.paired.length));
		})());
	' "$state/secrets.json"
}

alone
rename
answer=$(replace)
tell "$answer"
# a restart takes ten times as long, and does it for certain
{ reload && answer=$(prove); } || {
	restart
	answer=$(prove)
}
tell "$answer"
answer=$(forget)
rm "$before"
sync -f "$here"
tell "$answer"

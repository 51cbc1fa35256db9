# Takes all from a server that makes it this one, so that its disk can be the image of others: sh -c THIS sh NAME WORD…
# Whoever is at work on it is let in until it is switched off, by what lies in memory alone.
set -eu
here=/run/clawberth-image
mkdir -p "$here/disk"
chmod 0700 "$here"

# nothing writes on the disk behind our back; cloud-init still does when its last command has ended
timeout 120 cloud-init status --wait >/dev/null || true
systemctl --quiet stop apt-daily.timer apt-daily-upgrade.timer apt-daily.service apt-daily-upgrade.service unattended-upgrades.service || true
systemctl --quiet stop systemd-random-seed.service || true
journalctl --quiet --relinquish-var || true

# what it is known by, before it is forgotten
[ -s "$here/words" ] || {
	printf '%s\n' "$@" >"$here/words.new"
	cat /etc/machine-id >>"$here/words.new"
	for key in /etc/ssh/*_key.pub; do
		cut -d ' ' -f 2 "$key" >>"$here/words.new"
	done
	mv "$here/words.new" "$here/words"
}

# what sshd needs shows on, out of memory, while it goes from the disk
for dir in /etc/ssh /root/.ssh; do
	mountpoint -q "$dir" || {
		mkdir -p "$here$dir"
		cp -a "$dir/." "$here$dir/"
		mount --bind "$here$dir" "$dir"
	}
done

# the disk as a snapshot has it, with nothing over it
mountpoint -q "$here/disk" || mount --bind / "$here/disk"
apt-get --quiet clean
# cloud-init appends to it at each birth
rm -f /etc/apt/sources.list.d/backports.list
rm -f /etc/clawberth/host
touch /etc/clawberth/baked

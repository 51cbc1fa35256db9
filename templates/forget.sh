	# cloud-init keeps what a server was told at its birth, the injected host key among it, and asks for it again at each
	# boot. All that it had to do is done.
	touch /etc/cloud/cloud-init.disabled
	rm -f /var/lib/cloud/instances/*/user-data.txt* /var/lib/cloud/instances/*/cloud-config.txt \
		/var/lib/cloud/instances/*/obj.pkl /run/cloud-init/instance-data-sensitive.json \
		/run/cloud-init/combined-cloud-config.json

# Replaces the gateway's token by a new one with a restart, and proves that the old one is dead.
alone
answer=$(replace)
tell "$answer"
restart
answer=$(prove)
rm "$before"
sync -f "$here"
tell "$answer"

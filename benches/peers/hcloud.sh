# Creates or deletes servers side by side with the hcloud CLI, with a key and a firewall: hcloud.sh create|delete HCLOUD FOLDER.
# FOLDER has what is wanted, a file for each thing.
set -eu
hcloud=$2 folder=$3
common=$(cat "$folder/common")
if [ "$1" = create ]; then
  "$hcloud" ssh-key create --name "$common" --public-key-from-file "$folder/key.pub"
  "$hcloud" firewall create --name "$common" --rules-file "$folder/rules.json"
  xargs -P 50 -I NAME "$hcloud" server create --name NAME --type "$(cat "$folder/type")" --image "$(cat "$folder/image")" \
    --location "$(cat "$folder/location")" --ssh-key "$common" --firewall "$common" --label "$(cat "$folder/label")" \
    --user-data-from-file "$folder/user-data" <"$folder/names"
else
  xargs -P 50 -I NAME "$hcloud" server delete NAME <"$folder/names"
  # 1.30.3 does not wait until they are gone, and the firewall can go only then
  until "$hcloud" firewall delete "$common"; do
    sleep 1
  done
  "$hcloud" ssh-key delete "$common"
fi

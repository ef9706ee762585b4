# shellcheck shell=sh
# When and where figures are taken, which mean nothing without that. $1: the folder of the storage.
echo "- $(date -u '+%F %H:%M UTC'), commit $(git describe --always --dirty=' with changes')"
echo "- $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores, $(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo) MiB of memory"
echo "- $(uname -sr), storage on $(df --output=fstype "$1" | tail -n 1)"
echo "- load average over 1, 5 and 15 minutes at the end, this run included: $(cut -d ' ' -f 1-3 /proc/loadavg)"

#!/bin/sh
# Verifies one image by a policy before it is deployed: verify.sh IMAGE. Needs countersign on PATH, and beside it policy.yaml and the keys.
# Tries again while it could not be told (exit 14); every other answer is final.
set -eu
image=$1
attempts=${ATTEMPTS:-3}

attempt=1
while :; do
  code=0
  countersign verify --policy policy.yaml --key release.pub --timeout 60s --report junit=countersign.xml --report json=countersign.json "$image" || code=$?
  if [ "$code" -ne 14 ] || [ "$attempt" -ge "$attempts" ]; then break; fi
  echo "could not tell; attempt $attempt of $attempts" >&2
  sleep $((attempt * ${WAIT:-5}))
  attempt=$((attempt + 1))
done

case $code in
  0) echo "verified: $image" ;;
  10) echo "not signed: $image" >&2 ;;
  12) echo "signed by somebody else: $image" >&2 ;;
  13) echo "the policy says no: $image" >&2 ;;
  14) echo "could not tell: $image" >&2 ;;
  15) echo "ALTERED: $image" >&2 ;;
esac
exit "$code"

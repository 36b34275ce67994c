# Exit 75 asks for another attempt; the last message stands in the dead letter.
echo "closed at attempt $STEADFAST_ATTEMPT" >&2
exit 75

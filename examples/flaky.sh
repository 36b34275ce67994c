# Exit 75 asks for another attempt.
if [ "$STEADFAST_ATTEMPT" -lt 2 ]; then
    echo "not yet" >&2
    exit 75
fi
echo "\"done at attempt $STEADFAST_ATTEMPT\""

# A program that hangs, and started another one that hangs as well.
sleep 600 &
sleep 600

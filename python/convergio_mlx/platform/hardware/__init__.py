"""What this machine is: its chip, its cores, its memory, its GPUs. `detect.detect()` asks."""

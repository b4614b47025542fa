"""`python -m lift VERB …`, which is how torchrun starts it: torchrun --nproc-per-node 2 -m lift train …"""

from lift.cli import main

if __name__ == "__main__":
    main()

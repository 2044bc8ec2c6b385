"""`python -m phipd_sim2real`, for launchers that start modules, such as `accelerate launch -m`."""

from phipd_sim2real.cli import main

if __name__ == "__main__":
    main()

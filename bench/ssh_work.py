"""What bench/ssh_peers.py has done on the far side: the same as bench/remote-work.ts."""
import subprocess


def nothing():
    pass


def run_true():
    subprocess.check_call(['/bin/true'])


def run_true_times(count):
    for _ in range(count):
        subprocess.check_call(['/bin/true'])

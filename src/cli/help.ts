/** The texts of `mitos --help` and `mitos COMMAND --help`. */

/** The text of `mitos --help`. */
export const HELP = `Usage: mitos COMMAND [options]

Runs functions of a program in a tree of contexts: processes, other users,
containers, other machines.

Commands:
  demo           start a small tree on this machine and call functions in it
  doctor         walk to a target step by step, and tell what there is
  ping           connect to targets, and tell how long a call takes
  runtime        fetch, list and remove the Nodes for targets without one

Options:
  -h, --help     print this; mitos COMMAND --help tells more
  -v, --version  print the version

Environment:
  MITOS_LOG_LEVEL  which records of contexts are printed, from: trace, debug,
                   info (the default), warn, error, silent
  MITOS_RUNTIMES   a directory of builds of Node, taken before the network
  MITOS_CACHE_DIR  where builds of Node and prepared modules are kept
                   (default ~/.cache/mitos)
  NO_COLOR         print without colours
`;

const TARGET = `A TARGET is one step, or several separated by commas, one through the other:
  web1, deploy@web1:22, ssh://deploy@[fe80::1]   another machine, by ssh
  sudo:root, su:deploy, doas, run0, runuser      another user; root by default
  docker:app, podman:deploy@app, kubectl:ns/pod  a container; also buildah,
                 nerdctl, lxc, lxd, incus, jail, machinectl
  nsenter:4711, chroot:/srv/root, local, worker
  Options of a step follow behind a question mark:
                 ssh://web1?hostKeys=accept-new&configFile=/etc/ssh/alt
`;

const SECRETS = `  -k, --ask-password        ask for the password of each ssh step
  -K, --ask-sudo            ask for the password of each sudo, su, doas and
                            run0 step
      --password-file FILE  take these passwords from FILE instead ("-" is
                            the standard input): one line for each, in the
                            order of the steps, or one line for all
  -t, --timeout SECONDS     time for each step to connect (default 30)
      --json                print JSON`;

const DEMO = `Usage: mitos demo

Starts four contexts on this machine and calls functions in them. What they
run is sent to them on first use; nothing is written to disk.

Options:
  -h, --help     print this
`;

const PING = `Usage: mitos ping [options] TARGET...

Connects to each target, all at once, and calls a function there. Exits with
0 when all of them answered, with 1 when one did not.

Options:
  -c, --count N             calls to each (default 3)
${SECRETS}, an object a line
  -h, --help                print this

${TARGET}
Example:
  mitos ping -K web1,sudo:root web2,sudo:root
`;

const DOCTOR = `Usage: mitos doctor [options] TARGET

Walks to the target step by step. Tells of each step what it leads through and
how long it takes, and of the place it leads to what a program finds there. If
a step fails: what was tried, what was seen, and what to do. Exits with 0 when
the target was reached, with 1 when it was not.

Options:
${SECRETS}, one object
  -h, --help                print this

${TARGET}
Example:
  mitos doctor ssh://deploy@bastion,ssh://10.0.0.4,sudo:root
`;

const RUNTIME = `Usage: mitos runtime fetch [options] [VERSION]
       mitos runtime list [--json]
       mitos runtime prune [--keep N | --all] [--json]

Targets without Node get one pushed. It comes from npm when it is first
needed, and stays in the cache of this machine. These commands put one there
beforehand, show what is there, and remove what is not needed any more.
VERSION is 20.20.2, or 20 for the newest one that is known; without it, what
would be pushed. Exits with 0 when it was done, with 1 when it was not.

Options of fetch:
      --arch ARCH           x64, arm64, armv7l, ppc64le, s390x (default: that
                            of this machine)
      --platform PLATFORM   linux (the default) or darwin
      --runtimes DIRECTORY  take it from there if there is one, before npm is
                            asked (default: MITOS_RUNTIMES)

Options of prune:
      --keep N              how many stay for each platform, those used last
                            (default 1)
      --all                 keep none

Options:
      --json                print JSON
  -h, --help                print this

Example:
  mitos runtime fetch --arch arm64
`;

/** Help of each command. */
export const COMMAND_HELP: Readonly<Record<string, string>> = { demo: DEMO, doctor: DOCTOR, ping: PING, runtime: RUNTIME };

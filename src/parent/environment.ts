/** What of its environment a process hands down to a child on the same machine. */

const KEPT =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TERM|COLORTERM|NO_COLOR|FORCE_COLOR|TMPDIR|DISPLAY|SSH_AUTH_SOCK|XDG_\w+|NVM_DIR|VOLTA_HOME|HTTPS?_PROXY|NO_PROXY|https?_proxy|no_proxy|MITOS_\w+)$/;

/** The variables of `env` that a child gets: what programs need to find their way, nothing that could be a secret or a lever. */
export function inheritedEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept: NodeJS.ProcessEnv = {};
  for (const name of Object.keys(env)) if (KEPT.test(name)) kept[name] = env[name];
  return kept;
}

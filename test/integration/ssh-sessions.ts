/** Sessions of a server, as the tests end them. */
import type { LabUser } from '../support/lab/index.js';

/** Kills what sshd runs for a user. */
export function endSessions(user: LabUser): void {
  const sessions = user.processes().filter(({ command }) => command.startsWith('sshd'));
  if (sessions.length === 0) throw new Error(`There is no session of ${user.name}`);
  for (const { pid } of sessions) process.kill(pid, 'SIGKILL');
}

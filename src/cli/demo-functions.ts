/**
 * What the demo runs in its contexts: plain functions that know nothing of mitos. This file is sent to a context together with the first call of
 * one of them.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';

/** A file system. */
export interface DiskUsage {
  mount: string;
  usedBytes: number;
  totalBytes: number;
}

/** Memory of the machine. */
export interface MemoryUsage {
  usedBytes: number;
  totalBytes: number;
}

/** What kind of machine it is. */
export interface Machine {
  hostname: string;
  system: string;
  kernel: string;
  arch: string;
  cpus: number;
  uptimeSeconds: number;
}

/** A running program. */
export interface ProcessUsage {
  pid: number;
  name: string;
  residentBytes: number;
}

/** The largest file systems of 1 MiB and more, one row for each device. */
export function diskUsage(count: number): DiskUsage[] {
  const lines = execFileSync('df', ['-Pk'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    .split('\n')
    .slice(1);
  const byDevice = new Map<string, DiskUsage>();
  for (const line of lines) {
    const [, device, total, used, mount] = /^(.*\S)\s+(\d+)\s+(\d+)\s+\d+\s+\S+\s+(.+)$/.exec(line) ?? [];
    if (!device || !mount || Number(total) < 1024 || /^(tmpfs|devtmpfs|udev|shm|none|map )/.test(device)) continue;
    const key = `${device} ${total} ${used}`;
    const known = byDevice.get(key);
    if (!known || mount.length < known.mount.length) {
      byDevice.set(key, { mount, usedBytes: Number(used) * 1024, totalBytes: Number(total) * 1024 });
    }
  }
  return [...byDevice.values()].sort((a, b) => b.totalBytes - a.totalBytes).slice(0, count);
}

/** Memory in use and in all; what can be given back at once counts as free. */
export function memoryUsage(): MemoryUsage {
  const totalBytes = os.totalmem();
  let freeBytes = os.freemem();
  try {
    const available = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'));
    if (available) freeBytes = Number(available[1]) * 1024;
  } catch {
    // not Linux
  }
  return { usedBytes: totalBytes - freeBytes, totalBytes };
}

/** What kind of machine this is. */
export function machine(): Machine {
  let system = `${os.type()} ${os.release()}`;
  try {
    system = /^PRETTY_NAME="?([^"\n]+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? system;
  } catch {
    // not Linux
  }
  return {
    hostname: os.hostname(),
    system,
    kernel: `${os.type()} ${os.release()}`,
    arch: os.arch(),
    cpus: os.cpus().length,
    uptimeSeconds: Math.round(os.uptime()),
  };
}

/** The programs that hold most memory. */
export function topProcesses(count: number): ProcessUsage[] {
  const all = process.platform === 'linux' ? fromProc() : fromPs();
  return all.sort((a, b) => b.residentBytes - a.residentBytes).slice(0, count);
}

function fromProc(): ProcessUsage[] {
  const found: ProcessUsage[] = [];
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      const resident = /^VmRSS:\s+(\d+) kB/m.exec(status);
      const title = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0.*$/s, '').slice(0, 40);
      const name = title.replace(/^\/.*\//, '') || (/^Name:\s+(.*)$/m.exec(status)?.[1] ?? '?');
      if (resident) found.push({ pid: Number(pid), name, residentBytes: Number(resident[1]) * 1024 });
    } catch {
      // it has ended meanwhile
    }
  }
  return found;
}

function fromPs(): ProcessUsage[] {
  const rows = execFileSync('ps', ['-axo', 'pid=,rss=,comm='], { encoding: 'utf8' }).trim().split('\n');
  return rows.map((row) => {
    const [pid, resident, ...name] = row.trim().split(/\s+/);
    return { pid: Number(pid), name: name.join(' ').replace(/^.*\//, ''), residentBytes: Number(resident) * 1024 };
  });
}

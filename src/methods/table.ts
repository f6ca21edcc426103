/** All connection methods by name, for a master; other contexts are sent those they use. */
import type { Method } from '../parent/connector.ts';
import { local } from './local.ts';
import { worker } from './worker.ts';

/** Connection methods by name. */
export const METHODS: Readonly<Record<string, Method>> = { local, worker };

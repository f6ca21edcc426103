// placeholder until exec is written
export interface ExecOptions { timeoutMs?: number | undefined; signal?: AbortSignal | undefined }
export type ExecPromise = Promise<never>;
export const ExecPromise = 0;
export function startExec(_a: unknown, _b: unknown, _c: unknown): ExecPromise { return Promise.reject(new Error('x')); }
export function startShell(_a: unknown, _b: unknown, _c: unknown): ExecPromise { return Promise.reject(new Error('x')); }

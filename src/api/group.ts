export function group(): void {}

export function select(): void {}

import ts from 'typescript';

export const about = {
  package: 'typescript',
  covers: 'reads its own files (lib.d.ts beside the module)',
  asks: 'files are read on demand',
  requests: 7,
};

export function run(): unknown {
  const text = 'const list: number[] = [1].map((n) => String(n));';
  const host = ts.createCompilerHost({});
  const { getSourceFile } = host;
  host.getSourceFile = (name, options) => (name === 'a.ts' ? ts.createSourceFile(name, text, options) : getSourceFile(name, options));
  const program = ts.createProgram(['a.ts'], { noEmit: true, lib: ['lib.es5.d.ts'], types: [] }, host);
  return program.getSemanticDiagnostics().map((one) => ts.flattenDiagnosticMessageText(one.messageText, '\n'));
}

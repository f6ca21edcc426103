import ts from 'typescript';

export const about = { package: 'typescript', covers: 'a bundle of 9 MB' };

export function run(): unknown {
  const { outputText } = ts.transpileModule('enum A { B = 1 } export const x: A = A.B;', {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
  });
  const file = ts.createSourceFile('a.ts', 'const a: string = 1', ts.ScriptTarget.Latest);
  const host: ts.CompilerHost = {
    ...ts.createCompilerHost({}),
    getSourceFile: (name) => (name === 'a.ts' ? file : undefined),
    fileExists: (name) => name === 'a.ts',
    readFile: () => undefined,
  };
  const messages = ts
    .createProgram(['a.ts'], { noLib: true, noEmit: true }, host)
    .getSemanticDiagnostics(file)
    .map((one) => ts.flattenDiagnosticMessageText(one.messageText, '\n'));
  return { outputText, messages };
}

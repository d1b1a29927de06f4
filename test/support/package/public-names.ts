/** The names that a module exports, types marked as such, in order. */
import ts from 'typescript'
import type { TextFile } from '../tidy/source-tree.ts'

export function publicNames(file: TextFile): string[] {
  const source = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true)
  return source.statements.flatMap(namesOf).sort()
}

function namesOf(statement: ts.Statement): string[] {
  if (ts.isExportAssignment(statement)) return ['default']
  if (ts.isExportDeclaration(statement)) return reexported(statement)
  if (!ts.canHaveModifiers(statement)) return []
  const modifiers = ts.getModifiers(statement) ?? []
  if (!modifiers.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) return []
  return declared(statement)
}

function reexported(statement: ts.ExportDeclaration): string[] {
  const { exportClause } = statement
  if (exportClause === undefined || ts.isNamespaceExport(exportClause)) return [statement.getText()]
  return exportClause.elements.map(({ name, isTypeOnly }) =>
    statement.isTypeOnly || isTypeOnly ? `type ${name.text}` : name.text,
  )
}

function declared(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.map(({ name }) => name.getText())
  if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement))
    return [`type ${statement.name.text}`]
  if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement))
    return [statement.name?.text ?? 'default']
  return [statement.getText()]
}

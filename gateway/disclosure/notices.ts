import type { Facts } from '../model/decision.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { PolicyTable } from '../../directives/policy.ts'

/**
 * What must go along with a value that is disclosed, by the labels of its record and of its field.
 *
 * @source 42 CFR 2.32
 */
export function noticesOf({ phi }: Pick<PolicyTable, 'phi'>, { consent: { rules, record } }: Facts, path: SchemaPath): string[] {
  const labels = [...(record?.labels ?? []), ...(phi.get(path)?.sensitivity ?? [])]
  return labels.flatMap((label) => rules.get(label)?.notice ?? [])
}

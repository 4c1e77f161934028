import type { Facts } from '../vocabulary/decision.ts'
import type { SchemaPath } from '../vocabulary/ids.ts'
import type { PolicyTable } from '../vocabulary/policy.ts'

/**
 * What must go along with a value that is disclosed, by the labels of its record and of its field.
 *
 * @source 42 CFR 2.32
 */
export function noticesOf({ phi }: Pick<PolicyTable, 'phi'>, { consent: { rules, record } }: Facts, path: SchemaPath): string[] {
  const labels = [...(record?.labels ?? []), ...(phi.get(path)?.sensitivity ?? [])]
  return labels.flatMap((label) => rules.get(label)?.notice ?? [])
}

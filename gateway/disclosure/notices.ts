import type { Facts } from '../model/decision.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { PolicyTable } from '../../directives/policy.ts'

/**
 * The notices that the answer must carry with a disclosed value, by the labels of its record and field.
 *
 * @source 42 CFR 2.32
 */
export function noticesOf({ phi }: Pick<PolicyTable, 'phi'>, { consent: { rules, record } }: Facts, path: SchemaPath): string[] {
  const labels = [...(record?.labels ?? []), ...(phi.get(path)?.sensitivity ?? [])]
  return labels.flatMap((label) => rules.get(label)?.notice ?? [])
}

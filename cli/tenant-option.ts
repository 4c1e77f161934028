import { InvalidArgumentError } from 'commander'
import { type TenantId, tenantId } from '../gateway/model/ids.ts'

/**
 * Parses the value of `--tenant`.
 *
 * @throws InvalidArgumentError
 */
export function tenantOption(text: string): TenantId {
  const tenant = tenantId(text)
  if (tenant === undefined) throw new InvalidArgumentError('Use lower-case letters, digits and hyphens.')
  return tenant
}

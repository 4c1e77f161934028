import { InvalidArgumentError, Option } from 'commander'
import { type TenantId, tenantId } from '../gateway/model/ids.ts'
import { defaultTenant } from '../schema/project.ts'

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

/** The option `--tenant`. Without it, the command is about the tenant that `phi.json` names. If the file names none, the option is required. */
export function tenantOfProject(description: string): Option {
  const option = new Option('--tenant <tenant>', description).argParser(tenantOption)
  const tenant = defaultTenant()
  return tenant === undefined ? option.makeOptionMandatory() : option.default(tenantOption(tenant))
}

import { type OperationAdmin, openOperationAdmin } from '../gateway/admin/operation-admin.ts'
import { UnknownTenant } from '../gateway/admin/open-store.ts'
import { VersionConflict } from '../gateway/model/failures.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { type AdminRefusal, adminRefusalText } from '../gateway/operations/persisted/admin-refusal.ts'
import { type CompiledPolicy, compilePolicy } from '../directives/compile.ts'
import { PolicyFaults } from '../directives/fault.ts'
import { projectTypeDefs } from '../schema/project.ts'
import { unknownTenantText } from './tenant-check.ts'
import { printLine } from './terminal.ts'

/** A command on operations is refused. The lines say what to do. */
export class OperationsRefused extends Error {
  override readonly name = 'OperationsRefused'
  readonly lines: readonly string[]
  constructor(lines: readonly string[]) {
    super(lines.join('\n'))
    this.lines = lines
  }
}

/** Returns a decision, or ends the command. @throws OperationsRefused */
export function admitted<T extends { readonly refused?: undefined }>(decision: T | AdminRefusal): T {
  if (decision.refused === undefined) return decision
  throw new OperationsRefused(adminRefusalText(decision))
}

/** Compiles the schema of the project. */
export const compileProject = (): CompiledPolicy =>
  // unchecked: this makes no decisions, and only the gateway knows the sources of relationships
  compilePolicy(projectTypeDefs(), { relationships: 'unchecked' })

/** Runs a command, and prints its refusal with exit code 1. */
export async function reporting(act: () => void | Promise<void>): Promise<void> {
  try {
    await act()
  } catch (failure) {
    const lines = linesOf(failure)
    if (lines === undefined) throw failure
    const [first = '', ...rest] = lines
    for (const line of [`error: ${first}`, ...rest]) printLine(line, 'stderr')
    process.exitCode = 1
  }
}

/** Runs a command on the registry of a tenant. */
export async function withAdmin(tenant: TenantId, act: (admin: OperationAdmin) => Promise<void>): Promise<void> {
  await reporting(async () => {
    const admin = await openOperationAdmin(tenant, compileProject(), process.env)
    try {
      await act(admin)
    } finally {
      admin.close()
    }
  })
}

function linesOf(failure: unknown): readonly string[] | undefined {
  if (failure instanceof OperationsRefused) return failure.lines
  if (failure instanceof UnknownTenant) return [unknownTenantText('', process.env)]
  if (failure instanceof PolicyFaults) return failure.message.split('\n')
  if (failure instanceof VersionConflict)
    return ['Another administrator changed the client in the meantime. Run the command again.']
  return undefined
}

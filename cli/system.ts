import type { Command } from 'commander'

/** A command on the data of a system. */
export const onSystem = (command: Command): Command =>
  command.hook('preAction', async (_, action) => {
    await enterSystem(action)
  })

/**
 * Enters the environment of a system: the deployment that PHI_STAGE names, else the stack that runs on this machine. Then checks the
 * tenant that the command names.
 *
 * @throws NoStack, Refused
 */
export async function enterSystem(command: Command): Promise<void> {
  if (process.env['PHI_STAGE'] === undefined) {
    const { enterRunningStack } = await import('./running-stack.ts')
    await enterRunningStack()
  }
  const { requireTenant } = await import('./tenant-check.ts')
  await requireTenant(command)
}

import { enterEnvironment } from '../infra/local/environment.ts'
import { DATA_FOLDER, NoStack, readStackFile, type StackFile } from '../infra/local/stack-file.ts'

const STACK_ANSWERS_MS = 5_000

/**
 * The stack that runs on this machine. Every command that needs it finds it here.
 *
 * @throws NoStack, also for the file of a stack that has ended
 */
export async function runningStack(dataFolder = DATA_FOLDER): Promise<StackFile> {
  const stack = readStackFile(dataFolder)
  try {
    await fetch(stack.env.AWS_ENDPOINT_URL_DYNAMODB, { method: 'HEAD', signal: AbortSignal.timeout(STACK_ANSWERS_MS) })
  } catch (cause) {
    throw new NoStack('ENDED', { cause })
  }
  return stack
}

/** Sets the environment to that of the stack on this machine. @throws NoStack */
export async function enterRunningStack(dataFolder = DATA_FOLDER): Promise<void> {
  enterEnvironment((await runningStack(dataFolder)).env)
}

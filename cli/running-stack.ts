import { enterEnvironment } from '../infra/local/environment.ts'
import { DATA_FOLDER, NoStack, readStackFile, type StackFile } from '../infra/local/stack-file.ts'

const STACK_ANSWERS_MS = 5_000

/** Sets the environment to that of the stack on this machine. @throws NoStack */
export async function enterRunningStack(dataFolder = DATA_FOLDER): Promise<void> {
  const { env } = runningStack(dataFolder)
  await refuseStaleStack(env.AWS_ENDPOINT_URL_DYNAMODB)
  enterEnvironment(env)
}

/** @throws NoStack */
function runningStack(dataFolder: string): StackFile {
  try {
    return readStackFile(dataFolder)
  } catch (cause) {
    throw new NoStack(
      'No local stack is running. Start it with: npm start, or set PHI_STAGE and the PHI_TABLE_ variables of a deployment.',
      { cause },
    )
  }
}

/** A stack that was killed leaves its file. @throws NoStack */
async function refuseStaleStack(endpoint: string): Promise<void> {
  try {
    await fetch(endpoint, { method: 'HEAD', signal: AbortSignal.timeout(STACK_ANSWERS_MS) })
  } catch (cause) {
    throw new NoStack('The local stack does not answer. If it no longer runs, start it with: npm start', {
      cause,
    })
  }
}

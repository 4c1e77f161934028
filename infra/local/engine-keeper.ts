import { spawn } from 'node:child_process'

// Runs the engine for the process that started the keeper. A killed process cannot end its children, but its end of the pipe to
// the keeper always closes. The keeper then ends the engine, so that no engine remains and holds the data file.

/** An engine that does not end by then is killed. */
const ENDS_WITHIN_MS = 5_000

const [command, ...flags] = process.argv.slice(2)
if (command === undefined) throw new Error('No engine is given. Pass the command of an engine as the first argument.')

const engine = spawn(command, flags, { stdio: 'ignore' })
engine.on('error', () => process.exit(1))
engine.on('exit', (code) => process.exit(code ?? 1))

process.stdin.resume()
process.stdin.on('close', () => {
  engine.kill()
  setTimeout(() => engine.kill('SIGKILL'), ENDS_WITHIN_MS).unref()
})

import { writeFileSync } from 'node:fs'
import { compiledLock } from './schema.ts'

// Run `node examples/dental/lock.ts` after each change of the schema, then review the diff of the lock.
writeFileSync(new URL('./policy.lock', import.meta.url), compiledLock())

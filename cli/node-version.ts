/** Node 22.18 is the first version that loads the TypeScript files of a project without an option. */
const OLDEST = [22, 18] as const

/** The message for a version of Node that is too old; undefined for another one. @param version `22.18.0` */
export function nodeRefusal(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])
  return isOld ? `phi needs Node ${OLDEST.join('.')} or later. This is Node ${version}.` : undefined
}

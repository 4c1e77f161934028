// A clone starts the clinic with npm. The package starts the project of a folder. Its modules are bundled.

/** Whether this is the package, and not a clone. */
export const IS_PACKAGE = !import.meta.url.endsWith('.ts')

/** The command that starts the local stack. Every message that names it takes it from here. */
export const START_COMMAND = IS_PACKAGE ? 'npx phi dev' : 'npm start'

/** The command with options, or with a setting of the environment before it. */
export const startCommandWith = ({ options, setting }: { readonly options?: string; readonly setting?: string }): string =>
  [setting, START_COMMAND, ...(options === undefined ? [] : IS_PACKAGE ? [options] : ['--', options])]
    .filter((part) => part !== undefined)
    .join(' ')

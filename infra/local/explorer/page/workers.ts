/** The files of the editor's workers, by the label that the editor gives each. `bundle.ts` defines it. */
declare const WORKER_FILES: Readonly<Record<string, string>>

/** The editor asks for a worker when it first needs one. The files are of this origin, so the page needs no `blob:` workers. */
Object.assign(globalThis, {
  MonacoEnvironment: {
    getWorker: (_id: string, label: string): Worker => new Worker(WORKER_FILES[label] ?? WORKER_FILES['editor'] ?? ''),
  },
})

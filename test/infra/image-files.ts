import { readFileSync } from 'node:fs'

const DOCKERFILE = new URL('../../Dockerfile', import.meta.url)

/** The files and folders of the project that the instructions of a Dockerfile copy into the image. */
export function copiedFiles(dockerfile: string = readFileSync(DOCKERFILE, 'utf8')): string[] {
  const copies = [...dockerfile.matchAll(/^COPY +(?!--from)(.+)$/gm)].flatMap(([, words = '']) =>
    words.trim().split(/ +/).slice(0, -1),
  )
  return [...new Set(copies)]
}

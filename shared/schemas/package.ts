import { z } from 'zod';

/** Package managers that an agent can drive. */
export const packageProviders = ['apt', 'dnf', 'pacman', 'apk', 'brew', 'npm', 'pip'] as const;
export type PackageProviderName = (typeof packageProviders)[number];

/** Never an option (`-x`), a path or a URL: a manager would take these for something else than a name. */
const packageName = z
  .string()
  .max(128)
  .regex(/^@?[A-Za-z0-9][A-Za-z0-9._+~:/-]*$/, 'not a package name: use letters, digits and . _ + ~ : / -')
  .refine(name => !name.includes('://') && !name.includes('..'), 'a package is named, not given by its address');

/** A version as the manager writes it, such as `0.10.4`, `1:2.3-1+deb12u1`. */
const version = z
  .string()
  .max(128)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._+~:-]*$/, 'not a version: use letters, digits and . _ + ~ : -');

/** Of a folder that package managers are told of: no control characters, and no way up. */
const place = z
  .string()
  .max(4096)
  .startsWith('/', 'must be an absolute path')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  .refine(text => !/[\x00-\x1f\x7f]/.test(text), 'may not contain control characters')
  .refine(
    text =>
      text !== '/' &&
      !text
        .split('/')
        .slice(1)
        .some(level => ['', '.', '..'].includes(level)),
    'must be a plain path, without ".", ".." and a slash at its end',
  );

export const packageSchema = z.strictObject({
  /** The manager's name for it where the item's cannot be it: `g++`, `@scope/name`. Default: the item's. */
  name: packageName.optional(),
  /** Default `installed`. */
  state: z.enum(['installed', 'absent']).optional(),
  /** Exactly this version, also where a newer one is there. Absent: whichever is installed will do. */
  version: version.optional(),
  /** Default: the first of apt, dnf, pacman, apk, brew that the machine has. `npm` and `pip` must be named. */
  provider: z.enum(packageProviders).optional(),
  /** pip: the virtual environment (made where missing); npm: the prefix. Default: pip the user's, npm the global one. */
  into: place.optional(),
  /** Others' upgrades leave it at its version. */
  hold: z.boolean().optional(),
  /** What to do where somebody else changed it: put it right (default), or only say so. */
  drift: z.enum(['repair', 'report']).optional(),
});
export type Package = z.output<typeof packageSchema>;

const word = z.enum(['installed', 'absent']);

/** A package as set: `installed`, `absent`, a version, or an object. */
export const packageInput = z.union(
  [
    word.transform((state): Package => ({ state })),
    version.transform((said): Package => ({ version: said })),
    packageSchema,
  ],
  '"installed", "absent", a version, or an object',
);

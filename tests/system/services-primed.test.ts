/** services.test.ts with every unit started by a shim that waited for it. */
process.env.HEARTH_TEST_SHIM = 'primed';
await import('./services.test.ts');

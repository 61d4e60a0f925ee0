/* casemate-init as bytes in the runtime: nothing has to be found on the host. */
	.section .rodata
	.global init_image_start, init_image_end
	.balign 16
init_image_start:
	.incbin INIT_IMAGE
init_image_end:
	.section .note.GNU-stack, "", %progbits
